import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Template } from "../../../src/agent/template.ts";

const SECRET = 'hunter2 <&> "quoted"';

const VALUES = new Map([
  [
    "db",
    new Map([
      ["user", "app"],
      ["password", SECRET],
      ["tls.key", "K"],
      ["__proto__", "own"],
      ["empty", ""],
    ]),
  ],
  ["other", new Map<string, string>()],
]);
const NAMES = [...VALUES.keys()];

const render = (text: string) => Template.parse(text, NAMES).render(VALUES);

describe("a template", () => {
  const rows: [text: string, rendered: string][] = [
    ["no expression", "no expression"],
    ["{{db.user}}:{{db.password}}", `app:${SECRET}`],
    ["{{{db.password}}}", SECRET],
    ["{{db.[tls.key]}}", "K"],
    ["{{db.empty}}.", "."],
    ["{{db.__proto__}}", "own"],
    ["{{#each db}}{{@key}} {{/each}}", "user password tls.key __proto__ empty "],
    [
      "{{#each db as |value key|}}{{key}}={{value}};{{/each}}",
      `user=app;password=${SECRET};tls.key=K;__proto__=own;empty=;`,
    ],
    ["{{#with db}}{{user}}{{/with}}", "app"],
    ["{{#if db.empty}}yes{{else}}no{{/if}}", "no"],
    ['{{#if (has db "user")}}yes{{/if}}{{#if (has other "user")}}no{{/if}}', "yes"],
    ["{{json db.password}}", JSON.stringify(SECRET)],
    ["{{base64 db.user}}", "YXBw"],
    ["{{@root.db.user}}", "app"],
    ["\\{{db.user}}", "{{db.user}}"],
    ["{{!-- a comment --}}x", "x"],
  ];
  for (const [text, rendered] of rows) it(`renders ${text}`, () => assert.equal(render(text), rendered));

  // Each of these is refused before any secret is read.
  const unreadable: [text: string, message: RegExp][] = [
    ["{{db.", /^line 1: not a valid Handlebars template$/],
    ["\n\n{{#if db.user}}", /^line 3: not a valid Handlebars template$|^line 3/],
    ["{{#if db.user}}x{{/unless}}", /not a valid Handlebars template/],
    ["x\n {{typo.user}}", /^line 2, column 4: "typo" is neither a helper nor one of the secrets db, other$/],
    ["{{log db.password}}", /"log" is neither a helper/],
    ['{{lookup db "user"}}', /"lookup" is neither a helper/],
    ["{{unknown db.user}}", /"unknown" is neither a helper/],
    ["{{#each db}}{{unknown 1}}{{/each}}", /unknown helper/],
    ["{{constructor}}", /"constructor" is neither/],
    ["{{__proto__}}", /"__proto__" is neither/],
    ["{{> file}}", /partials are not supported/],
    ["{{#> file}}x{{/file}}", /partials are not supported/],
    ['{{#*inline "x"}}x{{/inline}}', /decorators are not supported/],
    ["{{* decorator}}", /decorators are not supported/],
  ];
  for (const [text, message] of unreadable) {
    it(`refuses ${JSON.stringify(text)} when it is read`, () => {
      assert.throws(() => Template.parse(text, NAMES), { name: "TemplateProblem", message });
    });
  }

  // By default, Handlebars renders a missing key as nothing. Even in strict mode, it does so in conditions and blocks. A
  // program would then start with an empty password.
  for (const text of [
    "{{db.X}}",
    "{{#if db.X}}{{/if}}",
    "{{#each db.X}}{{/each}}",
    "{{#with db}}{{X}}{{/with}}",
    "{{json db.X}}",
  ]) {
    it(`fails at the missing key in ${text}, and names it`, () => {
      const message = '"X" is missing: the secret db has no such key, or its value is not UTF-8';
      assert.throws(() => render(text), { name: "TemplateProblem", message });
    });
  }

  // Whatever a template tries: it gets no prototype and no function, and its error contains no value. Messages of V8 can
  // contain one: "Cannot use 'in' operator to search for 'length' in hunter2".
  const hostile = [
    ...["{{db.constructor}}", "{{db.toString}}", "{{db.hasOwnProperty}}", "{{other.__proto__}}", "{{db.valueOf}}"],
    ...["{{db.password.length}}", "{{db.password.constructor}}", "{{db.password.x}}", "{{db.password.[0]}}"],
    ...["{{db}}", "{{this}}", "{{@root}}", "{{json db}}", "{{base64 db}}", '{{has db.password "x"}}', "{{has db db}}"],
    ...[
      "{{#each db}}{{constructor}}{{/each}}",
      "{{#each db}}{{length}}{{/each}}",
      "{{#with db.password}}{{length}}{{/with}}",
    ],
    ...[
      "{{helperMissing}}",
      "{{blockHelperMissing db.password}}",
      "{{@x}}",
      "{{../db}}",
      "{{#if}}{{/if}}",
      "{{@root.constructor}}",
    ],
    ...['{{#with "s" as |s|}}{{s.sub.constructor}}{{/with}}', "{{#with (has db 'user')}}{{constructor}}{{/with}}"],
  ];
  for (const text of hostile) {
    it(`fails at ${text}, without a value`, () => {
      assert.throws(
        () => render(text),
        (error: Error) => {
          assert.equal(error.name, "TemplateProblem");
          assert.doesNotMatch(`${error.message} ${error.stack} ${error.cause}`, /hunter2|\[native code\]|function/);
          return true;
        },
      );
    });
  }

  // Handlebars' own helper `log` writes values there.
  it("does not write to standard output", (test) => {
    const calls = ["log", "info", "warn", "error"].map((name) => test.mock.method(console, name as "log", () => {}));
    for (const text of [...hostile, ...unreadable.map(([text]) => text)]) assert.throws(() => render(text));
    assert.deepEqual(
      calls.map(({ mock }) => mock.callCount()),
      [0, 0, 0, 0],
    );
  });
});
