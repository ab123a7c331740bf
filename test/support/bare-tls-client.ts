import {
  constants,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
} from "node:crypto";
import type { Socket } from "node:net";
import {
  deriveSecret,
  ENCRYPTED,
  finishedKey,
  handshakeSecret,
  hmac,
  masterSecret,
  RecordKeys,
  transcriptHash,
} from "./tls-keys.ts";

/** The certificates and the messages that the client sends, byte for byte. */
export interface Introduction {
  readonly chain: readonly Uint8Array[];
  readonly key: KeyObject;
  /** Sent in one write with the Finished, so that it arrives before the server has decided. */
  readonly request: Buffer;
  /**
   * Called with every record that the server sends after the handshake: its inner type (RFC 8446 5.1) and its content.
   */
  readonly onRecord?: (type: number, content: Buffer) => void;
  /** Called with every handshake message of the server (RFC 8446 4), up to and including its Finished. */
  readonly onHandshakeMessage?: (message: Buffer) => void;
}

const HANDSHAKE = 22;
const APPLICATION_DATA = 23;
const RECORD_HEADER = 5;

const SERVER_HELLO = 2;
const FINISHED = 20;

/**
 * A TLS 1.3 client (RFC 8446) that sends any certificate: OpenSSL's client does not send one that it can't read, or
 * whose key it does not have. It supports one cipher and one group, and does not verify the server.
 */
export class BareTlsClient {
  readonly #socket: Socket;
  readonly #introduction: Introduction;
  readonly #pair = generateKeyPairSync("x25519");
  /** The messages of the handshake so far, of both sides. */
  readonly #messages: Buffer[] = [];
  #received: Buffer = Buffer.alloc(0);
  /** The start of a handshake message of the server that has not arrived completely. */
  #flight: Buffer = Buffer.alloc(0);
  #secret: Buffer | undefined;
  #serverKeys: RecordKeys | undefined;
  #done = false;

  private constructor(socket: Socket, introduction: Introduction) {
    this.#socket = socket;
    this.#introduction = introduction;
    socket.on("data", (bytes) => this.#read(bytes));
    this.#messages.push(clientHello(rawPublicKey(this.#pair.publicKey)));
    socket.write(plainRecord(this.#messages[0]!));
  }

  /** Performs the handshake on a connection, and sends the request. */
  static introduce(socket: Socket, introduction: Introduction): void {
    new BareTlsClient(socket, introduction);
  }

  #read(bytes: Buffer): void {
    this.#received = Buffer.concat([this.#received, bytes]);
    while (this.#received.length >= RECORD_HEADER) {
      const end = RECORD_HEADER + this.#received.readUInt16BE(3);
      if (this.#received.length < end) return;
      this.#record(this.#received.subarray(0, RECORD_HEADER), this.#received.subarray(RECORD_HEADER, end));
      this.#received = this.#received.subarray(end);
    }
  }

  #record(header: Buffer, body: Buffer): void {
    const { type, content } =
      header[0] === ENCRYPTED ? this.#serverKeys!.open(header, body) : { type: header[0], content: body };
    if (this.#done) this.#introduction.onRecord?.(type!, content);
    // An alert during the handshake is ignored: the server then closes the connection, which the owner of the socket
    // notices.
    else if (type === HANDSHAKE) this.#shakeHands(content);
  }

  #shakeHands(content: Buffer): void {
    this.#flight = Buffer.concat([this.#flight, content]);
    while (this.#flight.length >= 4 && this.#flight.length >= 4 + this.#flight.readUIntBE(1, 3)) {
      const message = this.#flight.subarray(0, 4 + this.#flight.readUIntBE(1, 3));
      this.#flight = this.#flight.subarray(message.length);
      this.#messages.push(message);
      this.#introduction.onHandshakeMessage?.(message);
      if (message[0] === SERVER_HELLO) this.#agree(message);
      if (message[0] === FINISHED) this.#answer();
    }
  }

  #agree(serverHello: Buffer): void {
    const publicKey = publicKeyFrom(keyShareOf(serverHello));
    this.#secret = handshakeSecret(diffieHellman({ privateKey: this.#pair.privateKey, publicKey }));
    this.#serverKeys = new RecordKeys(deriveSecret(this.#secret, "s hs traffic", this.#messages));
  }

  #answer(): void {
    this.#done = true;
    const { chain, key, request } = this.#introduction;
    const hello = this.#messages.slice(0, 2);
    const handshake = deriveSecret(this.#secret!, "c hs traffic", hello);
    const master = masterSecret(this.#secret!);
    const application = deriveSecret(master, "c ap traffic", this.#messages);
    this.#serverKeys = new RecordKeys(deriveSecret(master, "s ap traffic", this.#messages));
    const seen = [...this.#messages, certificate(chain)];
    // Without a certificate there is no CertificateVerify (RFC 8446 4.4.3).
    if (chain.length > 0) seen.push(certificateVerify(key, seen));
    seen.push(message(FINISHED, hmac(finishedKey(handshake), transcriptHash(seen))));
    const flight = Buffer.concat(seen.slice(this.#messages.length));
    this.#socket.write(
      Buffer.concat([
        new RecordKeys(handshake).protect(HANDSHAKE, flight),
        new RecordKeys(application).protect(APPLICATION_DATA, request),
      ]),
    );
  }
}

/** A vector (RFC 8446 3.4): the length of `contents`, in `lengthBytes` bytes, and then `contents`. */
function vector(lengthBytes: number, ...contents: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(contents);
  const length = Buffer.alloc(lengthBytes);
  length.writeUIntBE(body.length, 0, lengthBytes);
  return Buffer.concat([length, body]);
}

function message(type: number, ...contents: readonly Uint8Array[]): Buffer {
  return Buffer.concat([Buffer.of(type), vector(3, ...contents)]);
}

function plainRecord(content: Buffer): Buffer {
  return Buffer.concat([Buffer.of(HANDSHAKE, 3, 1), vector(2, content)]);
}

function extension(type: number, content: Uint8Array): Buffer {
  return Buffer.concat([Buffer.of(0, type), vector(2, content)]);
}

const X25519 = Buffer.of(0x00, 0x1d);

/** ClientHello (RFC 8446 4.1.2). */
function clientHello(publicKey: Uint8Array): Buffer {
  const extensions = [
    extension(43, vector(1, Buffer.of(3, 4))), // supported_versions: 1.3
    extension(10, vector(2, X25519)), // supported_groups
    extension(13, vector(2, Buffer.of(4, 3))), // signature_algorithms: ecdsa_secp256r1_sha256
    extension(51, vector(2, X25519, vector(2, publicKey))), // key_share
    extension(16, vector(2, vector(1, Buffer.from("h2")))), // ALPN
  ];
  const version = Buffer.of(3, 3);
  const ciphers = vector(2, Buffer.of(0x13, 0x01)); // TLS_AES_128_GCM_SHA256
  return message(1, version, randomBytes(32), vector(1), ciphers, vector(1, Buffer.of(0)), vector(2, ...extensions));
}

/** The server's share of the key exchange: the only extension of a ServerHello with a key of 32 bytes. */
function keyShareOf(serverHello: Buffer): Buffer {
  const prefix = Buffer.concat([Buffer.of(0, 51, 0, 36), X25519, Buffer.of(0, 32)]);
  const from = serverHello.indexOf(prefix) + prefix.length;
  return serverHello.subarray(from, from + 32);
}

// SubjectPublicKeyInfo of X25519 up to the 32 bytes of the key (RFC 8410 4).
const SPKI_PREFIX = Buffer.from("302a300506032b656e032100", "hex");

function rawPublicKey(key: KeyObject): Buffer {
  return key.export({ type: "spki", format: "der" }).subarray(SPKI_PREFIX.length);
}

function publicKeyFrom(raw: Uint8Array): KeyObject {
  return createPublicKey({ key: Buffer.concat([SPKI_PREFIX, raw]), type: "spki", format: "der" });
}

/** Certificate (RFC 8446 4.4.2), with an empty request context and without extensions. */
function certificate(chain: readonly Uint8Array[]): Buffer {
  const entries = chain.flatMap((der) => [vector(3, der), vector(2)]);
  return message(11, vector(1), vector(3, ...entries));
}

/** CertificateVerify (RFC 8446 4.4.3). */
function certificateVerify(key: KeyObject, messages: readonly Uint8Array[]): Buffer {
  const context = Buffer.from(`${" ".repeat(64)}TLS 1.3, client CertificateVerify\0`);
  const { scheme, hash } = schemeOf(key);
  const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST };
  const signer = key.asymmetricKeyType === "rsa" ? { key, ...pss } : key;
  const signature = sign(hash, Buffer.concat([context, transcriptHash(messages)]), signer);
  return message(15, Buffer.of(scheme >> 8, scheme & 0xff), vector(2, signature));
}

/** SignatureScheme (RFC 8446 4.2.3). A curve that TLS 1.3 does not support is declared as P-256. */
function schemeOf(key: KeyObject): { readonly scheme: number; readonly hash: string | null } {
  if (key.asymmetricKeyType === "ed25519") return { scheme: 0x0807, hash: null };
  if (key.asymmetricKeyType === "ed448") return { scheme: 0x0808, hash: null };
  if (key.asymmetricKeyType === "rsa") return { scheme: 0x0804, hash: "sha256" };
  const curve = key.asymmetricKeyDetails?.namedCurve;
  if (curve === "secp384r1") return { scheme: 0x0503, hash: "sha384" };
  return curve === "secp521r1" ? { scheme: 0x0603, hash: "sha512" } : { scheme: 0x0403, hash: "sha256" };
}
