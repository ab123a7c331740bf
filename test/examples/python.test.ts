import { testStack } from "./stack.ts";

testStack({
  heading: "Python",
  folders: ["python"],
  copy: "python",
  needs: ["python3 -m venv -h"],
  notFound: "NOT_FOUND",
  verifiesId: false,
});
