/** A method of Coffer's own service. */
export interface MethodId {
  /** The full name, as in /coffer.v1.Secrets/Get. */
  readonly path: string;
  /** The position in METHODS, by which its calls are counted. */
  readonly number: number;
}
