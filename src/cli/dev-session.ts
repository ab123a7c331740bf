import type { Address } from "../domain/address.ts";
import type { MintReport } from "../pki/development.ts";

/** The values that the printed commands contain. */
export interface DevSession {
  /** The TCP address that the server listens on. */
  readonly address: Extract<Address, { readonly kind: "tcp" }>;
  readonly minted: MintReport;
  /** The command that runs this program, such as `node dist/src/main.js`. */
  readonly program: string;
  /** The policy file. */
  readonly policy: string;
}

/**
 * What `coffer dev` prints. Every command works as printed, in sh, bash and zsh, in the folder in which the server was
 * started.
 */
export function devSession({ address, minted, program, policy }: DevSession): string {
  const { ca, coffer, api, web } = minted;
  const coffer_ = (line: string) => `  ${program} ${line}\n`;
  const identity = `--cacert ${ca.certFile} --cert ${api.certFile} --key ${api.keyFile}`;
  // grpcurl does not support SPIFFE and checks the host name, which the server's SVID contains in addition to its ID.
  const server = `localhost:${address.port}`;
  const grpcurl = (method: string, request: string) =>
    `  grpcurl ${identity.replaceAll("--", "-")} -d '${request}' ${server} coffer.v1.Secrets/${method}\n`;
  const buf = (method: string, request: string) =>
    `  npx buf curl --protocol grpc ${identity} -d '${request}' https://${server}/coffer.v1.Secrets/${method}\n`;
  return `
${coffer.id} serves at ${address.host}:${address.port} with the policy ${policy}.

As ${api.id}, in another terminal:

  export COFFER_ADDR=${address.host}:${address.port} COFFER_SERVER_ID=${coffer.id}
  export COFFER_BUNDLE=${ca.certFile} COFFER_CERT=${api.certFile} COFFER_KEY=${api.keyFile}

${[
  coffer_("put shop/api/db user=app 'password=?'"),
  coffer_("get shop/api/db password"),
  coffer_("patch shop/api/db host=db.example"),
  coffer_("diff shop/api/db 1 2"),
  coffer_("list shop/"),
  coffer_("describe shop/api/db"),
  coffer_("delete shop/api/db"),
  coffer_("undelete shop/api/db"),
].join("")}
As ${web.id}, which no rule allows to read this secret (exit code 4):

  COFFER_CERT=${web.certFile} COFFER_KEY=${web.keyFile} ${program} get shop/api/db

With grpcurl and buf:

${[
  `  grpcurl ${identity.replaceAll("--", "-")} ${server} describe coffer.v1.Secrets\n`,
  grpcurl("Put", '{"path":"shop/api/queue","data":{"user":"app"}}'),
  grpcurl("Get", '{"path":"shop/api/queue"}'),
  grpcurl("List", '{"prefix":"shop/"}'),
  grpcurl("Delete", '{"path":"shop/api/queue"}'),
  buf("Put", '{"path":"shop/api/queue","data":{"user":"app"}}'),
  buf("Get", '{"path":"shop/api/queue"}'),
  buf("List", '{"prefix":"shop/"}'),
  buf("Delete", '{"path":"shop/api/queue"}'),
].join("")}
Ctrl-C stops the server. Secrets are kept in .coffer; delete that folder to start again without them.

`;
}
