import { createSecureContext, type SecureContext } from "node:tls";
import { inspect } from "node:util";
import type { LibraryHandle } from "koffi";
import type { Problem } from "../spiffe/certificate-rules.ts";
import { messageProblem } from "../spiffe/certificate-message.ts";

/** Checks the certificates of clients before OpenSSL decodes them. */
export interface CertificateFilter {
  /** Applies the filter to the handshakes that begin with a context. */
  apply(context: SecureContext): void;

  /**
   * Why the filter has just refused the certificates of a handshake. Call it when the handshake fails, before any other
   * one continues. Undefined if the handshake fails for another reason.
   */
  takeProblem(): Problem | undefined;
}

/** Leaves OpenSSL to decode everything: where the functions of OpenSSL can't be called. */
export const NO_FILTER: CertificateFilter = { apply: () => {}, takeProblem: () => undefined };

/** The functions of OpenSSL that the filter needs can't be called. */
export class FilterUnavailable extends Error {
  override readonly name = "FilterUnavailable";
}

/**
 * Loads the filter, which calls OpenSSL in the executable of Node through koffi. Node has no setting for it. Create one in each
 * thread, because koffi has a limited number of callbacks and never gives one back. Rejects with {@link FilterUnavailable}.
 */
export async function loadCertificateFilter(): Promise<CertificateFilter> {
  try {
    return new OpenSslFilter(await import("koffi"));
  } catch (error) {
    throw new FilterUnavailable(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

type Koffi = typeof import("koffi");

/** An address in the memory of this process. */
type Pointer = bigint;

/** A function of SSL_CTX_set_msg_callback(3). OpenSSL calls it with each handshake message, before it processes one. */
type MessageCallback = (
  isSent: number,
  version: number,
  contentType: number,
  message: Pointer,
  length: number,
  ssl: Pointer,
  argument: Pointer,
) => void;

const MESSAGE_CALLBACK = ["int", "int", "int", "void *", "size_t", "void *", "void *"];

/** SSL3_RT_HANDSHAKE, the content type of handshake messages (RFC 8446 5.1). */
const HANDSHAKE = 22;

/** The types of the messages that contain certificates (RFC 8446 4, RFC 8879 4). */
const CERTIFICATE = 11;
const COMPRESSED_CERTIFICATE = 25;

/**
 * The offset of the length of `certificate_request_context`, and a length that it never has: the context is empty in a
 * handshake (RFC 8446 4.4.2). OpenSSL refuses the message with the alert decode_error before it decodes a certificate.
 */
const CONTEXT_LENGTH_AT = 4;
const REFUSED_LENGTH = 0xff;

/** SSL_CTX_get_max_cert_list(3): the command, and the default of OpenSSL in bytes. */
const GET_MAX_CERT_LIST = 50;
const DEFAULT_MAX_CERT_LIST = 100 * 1024;

/**
 * OpenSSL passes each message of a handshake to a callback after it has received it and before it processes it. If the
 * certificates must not be decoded, the callback makes the message unreadable. The callback is removed from a connection after
 * the first message that passes, because OpenSSL would also call it for each record of data.
 */
class OpenSslFilter implements CertificateFilter {
  readonly #koffi: Koffi;
  readonly #openSsl: OpenSsl;
  readonly #callback: Pointer;
  #problem: Problem | undefined;

  constructor(koffi: Koffi) {
    this.#koffi = koffi;
    const type = koffi.pointer(koffi.proto("void", MESSAGE_CALLBACK));
    this.#openSsl = openSslIn(koffi.load(null), type);
    const onMessage: MessageCallback = (isSent, _version, contentType, message, length, ssl) => {
      if (isSent === 0 && contentType === HANDSHAKE) this.#received(message, Number(length), ssl);
    };
    this.#callback = koffi.register(onMessage, type);
    this.apply(createSecureContext());
  }

  apply(context: SecureContext): void {
    const pointer = pointerOf(context);
    // A pointer to anything else would not have this value.
    const limit = this.#openSsl.control(pointer, GET_MAX_CERT_LIST, 0, null);
    if (limit !== DEFAULT_MAX_CERT_LIST) throw new Error("a TLS context of node:tls is not an SSL_CTX of OpenSSL");
    this.#openSsl.setContextCallback(pointer, this.#callback);
    this.#openSsl.setTickets(pointer, 0);
  }

  takeProblem(): Problem | undefined {
    const problem = this.#problem;
    this.#problem = undefined;
    return problem;
  }

  #received(message: Pointer, length: number, ssl: Pointer): void {
    const { decode, encode } = this.#koffi;
    const type = decode.uint8(message);
    if (type !== CERTIFICATE && type !== COMPRESSED_CERTIFICATE) return;
    this.#problem = problemOf(() => {
      const copy: Uint8Array = decode(message, "uint8_t", length);
      return Buffer.from(copy.buffer);
    });
    if (this.#problem === undefined) this.#openSsl.setCallback(ssl, null);
    else encode(message, CONTEXT_LENGTH_AT, "uint8_t", REFUSED_LENGTH);
  }
}

/**
 * koffi keeps an error that the callback throws, and does not call the callback again until another call of koffi has
 * thrown it. OpenSSL would decode this message and all later ones. So any error refuses the message, also one while
 * it is read, for example because no memory is available.
 */
function problemOf(read: () => Buffer): Problem | undefined {
  try {
    const message = read();
    if (message[0] === CERTIFICATE) return messageProblem(message);
    return { reason: "malformed-certificate", detail: "the peer sent compressed certificates" };
  } catch (error) {
    return { reason: "malformed-certificate", detail: `the check of the certificates failed: ${String(error)}` };
  }
}

/** Functions of OpenSSL. */
interface OpenSsl {
  readonly control: (context: Pointer, command: number, value: number, argument: Pointer | null) => number;
  readonly setContextCallback: (context: Pointer, callback: Pointer) => void;
  readonly setCallback: (ssl: Pointer, callback: Pointer | null) => void;
  readonly setTickets: (context: Pointer, number: number) => number;
}

function openSslIn(library: LibraryHandle, callback: ReturnType<Koffi["pointer"]>): OpenSsl {
  return {
    control: library.func("SSL_CTX_ctrl", "long", ["void *", "int", "long", "void *"]),
    setContextCallback: library.func("SSL_CTX_set_msg_callback", "void", ["void *", callback]),
    setCallback: library.func("SSL_set_msg_callback", "void", ["void *", callback]),
    setTickets: library.func("SSL_CTX_set_num_tickets", "int", ["void *", "size_t"]),
  };
}

const EXTERNAL = /^\[External: ([0-9a-f]+)\]$/;

/** The address of the SSL_CTX of a context. Node shows it only as text. */
function pointerOf({ context }: SecureContext): Pointer {
  const { _external: external } = context as { readonly _external?: unknown };
  const address = EXTERNAL.exec(inspect(external))?.[1];
  if (address === undefined) throw new Error("node:tls does not show the address of a TLS context");
  return BigInt(`0x${address}`);
}
