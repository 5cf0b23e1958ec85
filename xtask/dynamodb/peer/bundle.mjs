// Bundles what a browser would download to do the same, minified: node bundle.mjs ENTRY OUT, where an entry is `peer`
// (the AWS SDK's client and the other library, all that it does on DynamoDB) or `rewound` (the npm package's JavaScript,
// without the module beside it).

import { build } from "../../../pkg/node_modules/esbuild/lib/main.js";

const entries = {
  peer: `
    export { DynamoDBClient, GetItemCommand } from "@aws-sdk/client-dynamodb";
    export * from "@coderbyheart/aws-dynamodb-es-cqrs/aggregate";
    export * from "@coderbyheart/aws-dynamodb-es-cqrs/persistence";`,
  rewound: `export * from "../../../pkg/dist/browser.js";`,
};
const [entry, outfile] = process.argv.slice(2);
await build({
  stdin: { contents: entries[entry], resolveDir: import.meta.dirname },
  outfile,
  bundle: true,
  minify: true,
  format: "esm",
  platform: "browser",
  target: "es2022",
  logLevel: "error",
});
