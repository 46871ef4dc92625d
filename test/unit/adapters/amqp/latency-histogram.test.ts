import { describe, expect, it } from "vitest";
import { LatencyHistogram } from "../../../../src/adapters/amqp/latency-histogram.ts";

describe("latency histogram", () => {
  it("knows nothing without samples", () => {
    expect(new LatencyHistogram().percentile(0.5)).toBeNull();
  });

  it("gives percentiles to within five percent", () => {
    const histogram = new LatencyHistogram();
    for (let ms = 1; ms <= 1000; ms++) histogram.add(ms);
    for (const share of [0.01, 0.5, 0.99, 1]) {
      const exact = share * 1000;
      const told = histogram.percentile(share) ?? 0;
      expect(told).toBeGreaterThanOrEqual(exact * 0.999);
      expect(told).toBeLessThanOrEqual(exact * 1.0501);
    }
  });
});
