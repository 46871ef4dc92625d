import { describe, expect, test } from "vitest";
import type { QueueInfo } from "../../src/domain/queue.ts";
import { ACCEPT_SAC_TAKEOVER } from "../../src/domain/reading-plan.ts";
import { openChannel, type LabChannel } from "../lab/channel.ts";
import { fill, numberOf } from "../lab/publish.ts";
import { declareQueue, untilReady } from "../lab/queues.ts";
import { openCursor, readAll, readQueue } from "../lab/read.ts";
import { argumentsFor, brokersOf, plainRecipe, verdictFor } from "../lab/recipes.ts";
import { sharedBrokers } from "../lab/shared-brokers.ts";
import { until } from "../lab/until.ts";
import { freshVhost } from "../lab/vhost.ts";
import type { Broker } from "../lab/brokers.ts";

const SINGLE = { "x-single-active-consumer": true };

function single(consumers: number): Partial<QueueInfo> {
  return { arguments: SINGLE, consumers };
}

describe.concurrent.each(sharedBrokers())("a single active consumer on $version", (broker) => {
  test.each(["classic", "quorum"] as const)(
    "away: a %s queue is read, and in order for who comes then",
    async (type) => {
      await using vhost = await freshVhost(broker);
      await declareQueue(vhost, "q", type, { ...argumentsFor(broker, type), ...SINGLE });
      await fill(vhost, "q", 300);
      const recipe = plainRecipe(broker, type, single(0));
      for (let i = 0; i < 2; i++) {
        const reading = await readQueue(vhost, "q", recipe);
        expect(reading).toMatchObject({ gaps: [], notes: [], readyAfter: 300 });
        expect(reading.messages.map(numberOf)).toEqual(upTo(300));
      }
      await using app = await App.attach(vhost.url);
      await until("the app has all", () => app.got.length === 300);
      expect(app.got).toEqual(upTo(300));
    },
  );

  test("at work on a classic queue: the queue is read with basic.get, and it goes on in order", async () => {
    await using vhost = await freshVhost(broker);
    await declareQueue(vhost, "q", "classic", SINGLE);
    await fill(vhost, "q", 300);
    await using app = await App.attach(vhost.url, { holding: true });
    await until("the app is at work", () => app.held === 10);
    const recipe = plainRecipe(broker, "classic", single(1));
    expect(recipe.kind).toBe("get");
    for (let i = 0; i < 2; i++) {
      const reading = await readQueue(vhost, "q", recipe);
      expect(reading).toMatchObject({ gaps: [], readyAfter: 290 });
      expect(reading.messages.map(numberOf)).toEqual(upTo(300).slice(10));
    }
    app.letGo();
    await until("the app has all", () => app.got.length === 300);
    expect(app.got).toEqual(upTo(300));
  });

  // On 4.3 a quorum queue's consumer gets what is new first: closing would cost a delivery there.
  const types = broker.version === "4.3" ? (["classic"] as const) : (["classic", "quorum"] as const);
  test.each(types)("attached while a %s queue is held: it waits, then gets all in order", async (type) => {
    await using vhost = await freshVhost(broker);
    await declareQueue(vhost, "q", type, { ...argumentsFor(broker, type), ...SINGLE });
    await fill(vhost, "q", 300);
    await using cursor = await openCursor(vhost, "q", plainRecipe(broker, type, single(0)), {
      hold: "until-settled",
    });
    await readAll(cursor);
    await using app = await App.attach(vhost.url);
    await fill(vhost, "q", 10, { from: 300 });
    await cursor.settle("requeue");
    await until("the app has all", () => app.got.length === 310);
    expect(app.got).toEqual(upTo(310));
  });
});

describe.concurrent.each(brokersOf("3.10"))("a single active consumer on $version", (broker) => {
  test("at work on a quorum queue keeps it from being read", () => {
    expect(danger(broker, 10)).toMatchObject({ code: "sac", flag: null });
  });
});

describe.concurrent.each(brokersOf("4.0", "4.3"))("a single active consumer on $version", (broker) => {
  test("at work on a quorum queue is only interrupted by leave, and goes on in order", async () => {
    expect(danger(broker, 0)).toMatchObject({ code: "sac", flag: "--accept sac-takeover" });
    await using vhost = await freshVhost(broker);
    await declareQueue(vhost, "q", "quorum", { ...argumentsFor(broker, "quorum"), ...SINGLE });
    await fill(vhost, "q", 1000);
    await using app = await App.attach(vhost.url, { prefetch: 1, eachMs: 3 });
    await until("the app is at work", () => app.got.length > 0);

    const recipe = plainRecipe(broker, "quorum", single(1), {
      priority: 10,
      accept: new Set([ACCEPT_SAC_TAKEOVER]),
    });
    await using cursor = await openCursor(vhost, "q", recipe, { hold: "until-settled" });
    const read = (await readAll(cursor)).map(numberOf);
    const before = app.got.length;
    expect(read).toEqual(upTo(1000).slice(1000 - read.length));
    expect(app.got).toEqual(upTo(before));
    expect(before + read.length).toBe(1000);
    const missing = cursor.gaps.reduce((sum, gap) => sum + (gap.messages ?? 0), 0);
    expect(read.length + missing).toBe(cursor.readyAtCut);
    await cursor.settle("requeue");

    await until("the app has all", () => app.got.length === 1000);
    expect(app.got).toEqual(upTo(1000));
    await untilReady(vhost, "q", 0);
  });
});

function danger(broker: Broker, priority: number) {
  const policy = priority > 0 ? { priority, accept: new Set([ACCEPT_SAC_TAKEOVER]) } : {};
  return verdictFor(broker, "quorum", { deliveryLimit: "unlimited", ...single(1) }, policy).danger;
}

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, n) => n);
}

interface Habits {
  readonly prefetch?: number;
  /** Time it takes for a message. */
  readonly eachMs?: number;
  /** True: it finishes nothing until it is told to. */
  readonly holding?: boolean;
}

/** A consumer that acknowledges what it gets one by one. */
class App implements AsyncDisposable {
  /** Numbers of the messages acknowledged, in order. */
  readonly got: number[] = [];
  readonly #lane: LabChannel;
  readonly #waiting: (() => void)[] = [];
  #holding: boolean;

  private constructor(lane: LabChannel, holding: boolean) {
    this.#lane = lane;
    this.#holding = holding;
  }

  static async attach(url: string, habits: Habits = {}): Promise<App> {
    const { prefetch = 10, eachMs = 0, holding = false } = habits;
    const lane = await openChannel(url);
    const app = new App(lane, holding);
    await lane.channel.prefetch(prefetch);
    await lane.channel.consume("q", (message) => {
      if (!message) return;
      const acknowledge = (): void => {
        app.got.push(numberOf({ body: message.content }));
        lane.channel.ack(message);
      };
      if (app.#holding) app.#waiting.push(acknowledge);
      else if (eachMs > 0) setTimeout(acknowledge, eachMs);
      else acknowledge();
    });
    return app;
  }

  get held(): number {
    return this.#waiting.length;
  }

  letGo(): void {
    this.#holding = false;
    for (const acknowledge of this.#waiting.splice(0)) acknowledge();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lane[Symbol.asyncDispose]();
  }
}
