/** An X.509 certificate, read strictly. */
export interface Certificate {
  readonly der: Buffer;
}
