import { testStack } from "./stack.ts";

testStack({
  heading: "Go",
  folders: ["go"],
  copy: "go",
  needs: ["go version"],
  notFound: "NotFound",
  verifiesId: true,
});
