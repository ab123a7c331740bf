import { testStack } from "./stack.ts";

testStack({
  heading: "Rust",
  folders: ["rust"],
  copy: "rust",
  needs: ["cargo --version"],
  fetch: "cargo fetch --quiet --locked --manifest-path examples/rust/Cargo.toml",
  notFound: "NotFound",
  verifiesId: true,
});
