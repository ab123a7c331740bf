/** Whether the long variants of tests run, as with "npm run test:identity -- --long". */
export const LONG = process.env["COFFER_TEST_LONG"] === "1";
