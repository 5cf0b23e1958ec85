// The other library, asked by a test: a line of JSON in, a line of JSON out. It is used as its documentation says.

import { DynamoDBClient, GetItemCommand } from "@aws-sdk/client-dynamodb";
import {
  listAggregateEventsDynamoDB,
  persistDynamoDB,
  RemoveAttribute,
  unmarshallAggregate,
} from "@coderbyheart/aws-dynamodb-es-cqrs/persistence";
import { createInterface } from "node:readline";

const db = new DynamoDBClient({
  endpoint: process.argv[2],
  region: "eu-west-1",
  credentials: { accessKeyId: "local", secretAccessKey: "local" },
});

const asked = {
  /** Writes an aggregate and its event in one transaction. `null` stands for a field that goes away. */
  async persist({ table, events, aggregate: { $meta, ...fields }, event }) {
    const removed = Object.entries(fields).filter(([, value]) => value === null);
    const updatedAt = $meta.updatedAt && new Date($meta.updatedAt);
    const gone = Object.fromEntries(removed.map(([name]) => [name, RemoveAttribute]));
    const aggregate = { ...fields, ...gone, $meta: { ...$meta, updatedAt } };
    return persistDynamoDB(db, table, events)(aggregate, event);
  },
  async load({ table, id }) {
    const key = { aggregateId: { S: id } };
    const { Item } = await db.send(new GetItemCommand({ TableName: table, Key: key }));
    return unmarshallAggregate(Item);
  },
  events: ({ events, id }) => listAggregateEventsDynamoDB(db, events)(id),
};

for await (const line of createInterface({ input: process.stdin })) {
  const { ask, ...about } = JSON.parse(line);
  const answer = await asked[ask](about).then(
    (ok) => ({ ok }),
    (error) => ({ error: error.message }),
  );
  console.log(JSON.stringify(answer));
}
