import { testStack } from "./stack.ts";

testStack({
  heading: "Java",
  folders: ["java"],
  copy: "java",
  needs: ["javac --version", "mvn -v"],
  fetch: "mvn -B -q -f examples/java dependency:resolve dependency:resolve-plugins",
  notFound: "NOT_FOUND",
  verifiesId: true,
});
