import { describe, expect, test } from "vitest";
import { expectAll } from "../lab/expect-queue.ts";
import type { Broker } from "../lab/brokers.ts";
import { drain } from "../lab/drain.ts";
import { fill, numberOf } from "../lab/publish.ts";
import { declareQueue, readyCount } from "../lab/queues.ts";
import { expectFailure, newScene } from "../lab/scene.ts";
import { sharedBrokers } from "../lab/shared-brokers.ts";

const MESSAGES = 200;
const IN_A_ROW = 25;
/** Runs that find the deliveries spent. */
const STOPPED = 4;

/** Brokers of these lines, if the test run has any. */
function lines(...versions: readonly string[]): readonly Broker[] {
  return sharedBrokers().filter(({ version }) => versions.includes(version));
}

describe.each(lines("3.10", "4.3"))("$version", (broker) => {
  test("25 backups in a row of a quorum queue leave every message in place", async () => {
    await using scene = await newScene(broker);
    await declareQueue(scene.vhost, "q", "quorum");
    const messages = await fill(scene.vhost, "q", MESSAGES);
    for (let run = 1; run <= IN_A_ROW; run++) {
      const result = await scene.run(["full", "--quiet"]);
      expect(result, `run ${run}`).toMatchObject({ status: 0, stdout: "", stderr: "" });
    }
    expect(await scene.committed()).toHaveLength(IN_A_ROW);
    const list: unknown = JSON.parse((await scene.run(["list", "--json"])).stdout);
    expect(list).toMatchObject({ backups: Array.from({ length: IN_A_ROW }, () => ({ messages: MESSAGES })) });
    await scene.expectNothingLeft();
    await expectAll(scene.vhost, "q", messages);
  });
});

describe.each(lines("4.0"))("$version", (broker) => {
  test("the default refuses a queue with a delivery limit, and touches nothing", async () => {
    await using scene = await newScene(broker);
    await declareQueue(scene.vhost, "q", "quorum");
    const messages = await fill(scene.vhost, "q", MESSAGES);
    const refusal = {
      status: 30,
      error: /queue q in .*every reading costs each message one of its 20 deliveries/,
      hint: /--keep-deliveries 5/,
    };
    expectFailure(await scene.run(["full"]), refusal);
    const check = await scene.run(["check"]);
    expect(check).toMatchObject({ status: 30 });
    expect(check.stdout).toMatch(/^unsafe q: .*20 deliveries/m);

    await declareQueue(scene.vhost, "other", "classic");
    const partial = await scene.run(["full"]);
    expect(partial).toMatchObject({ status: 3 });
    expect(partial.stdout).toMatch(/^skipped q: .*20 deliveries.*\n {2}hint: .*--keep-deliveries 5/m);
    await scene.expectNothingLeft();
    await expectAll(scene.vhost, "q", messages);
  });

  test("--keep-deliveries 5 stops by itself in time, and nothing is lost", async () => {
    await using scene = await newScene(broker);
    await declareQueue(scene.vhost, "q", "quorum");
    const messages = await fill(scene.vhost, "q", MESSAGES);
    const statuses: (number | null)[] = [];
    let last = await scene.run(["full", "--keep-deliveries", "5"]);
    for (let run = 1; run < IN_A_ROW && last.status === 0; run++) {
      statuses.push(last.status);
      expect(await readyCount(scene.vhost, "q")).toBe(MESSAGES);
      last = await scene.run(["full", "--keep-deliveries", "5"]);
    }
    // 20 deliveries, of which 5 are kept.
    expect(statuses).toHaveLength(16);
    expect(last).toMatchObject({ status: 3 });
    expect(last.stdout).toMatch(/^gap in q: (199|200) messages: .*delivered 16 times of 20.*fewer than 5/m);
    // What could not be read on shows what it cost: the one message that was looked at goes behind the others.
    expect(last.stdout).toMatch(/^note on q: only a part of the queue was held .* another order/m);
    for (let run = 1; run < STOPPED; run++) {
      expect(await scene.run(["full", "--keep-deliveries", "5"])).toMatchObject({ status: 3 });
    }
    await scene.expectNothingLeft();
    const numbers = (await drain(scene.vhost, "q")).map(numberOf);
    const inOrder = messages.map(numberOf);
    expect(numbers.toSorted((a, b) => a - b)).toEqual(inOrder);
    expect(numbers.slice(0, MESSAGES - STOPPED)).toEqual(inOrder.slice(STOPPED));
  });
});

describe.each(lines("3.10"))("$version", (broker) => {
  test.each([-1, 0])(
    "a delivery limit of %s: nothing makes it read what its return would delete",
    async (limit) => {
      await using scene = await newScene(broker);
      await declareQueue(scene.vhost, "q", "quorum", { "x-delivery-limit": limit });
      const messages = await fill(scene.vhost, "q", MESSAGES);
      for (const more of [[], ["--keep-deliveries", "5"]]) {
        expectFailure(await scene.run(["full", ...more]), {
          status: 30,
          error: new RegExp(`queue q in .*its delivery limit is ${limit}: .*deleted`),
          hint: /Raise the limit/,
        });
      }
      await scene.expectNothingLeft();
      await expectAll(scene.vhost, "q", messages);
    },
  );
});
