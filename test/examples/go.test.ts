import { testStack } from "./stack.ts";

testStack({ heading: "Go", folders: ["go"], needs: ["go version"], notFound: "NotFound", verifiesId: true });
