import { testStack } from "./stack.ts";

testStack({
  heading: "Python",
  folders: ["python"],
  copy: "python",
  needs: ["python3 -m ensurepip --version"],
  notFound: "NOT_FOUND",
  verifiesId: false,
});
