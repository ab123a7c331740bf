import { testStack } from "./stack.ts";

testStack({
  heading: "Go",
  folders: ["go"],
  copy: "go",
  needs: ["go version"],
  fetch: "cd examples/go && go mod download",
  notFound: "NotFound",
  verifiesId: true,
});
