import { testStack } from "./stack.ts";

testStack({ heading: "Rust", folders: ["rust"], needs: ["cargo --version"], notFound: "NotFound", verifiesId: true });
