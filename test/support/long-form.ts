/** Whether the long forms of tests run, as "npm run test:identity -- --long" asks for. */
export const LONG = process.env["COFFER_TEST_LONG"] === "1";
