import { testStack } from "./stack.ts";

testStack({
  heading: "Rust",
  folders: ["rust"],
  copy: "rust",
  needs: ["cargo --version"],
  notFound: "NotFound",
  verifiesId: true,
});
