import { testStack } from "./stack.ts";

testStack({
  heading: "Java",
  folders: ["java"],
  copy: "java",
  needs: ["javac --version", "mvn -v"],
  notFound: "NOT_FOUND",
  verifiesId: true,
});
