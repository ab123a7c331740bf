import { FETCH_PYTHON } from "./build.ts";
import { testStack } from "./stack.ts";

testStack({
  heading: "Python",
  folders: ["python"],
  copy: "python",
  needs: ["python3 -m ensurepip --version"],
  fetch: FETCH_PYTHON,
  notFound: "NOT_FOUND",
  verifiesId: false,
  // grpcio looks for the host name of the address in the server's SVID.
  prepare: async ({ site }, variables) => ({ ...variables, COFFER_ADDR: `localhost:${site.port}` }),
});
