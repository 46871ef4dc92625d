/** Numbers as people read them. */

/** "1,234,567" */
export function formatCount(number: number): string {
  return String(Math.round(number)).replaceAll(/\B(?=(?:\d{3})+$)/g, ",");
}

/** "1 message", "1,234 messages" */
export function formatCounted(number: number, singular: string, plural = `${singular}s`): string {
  return `${formatCount(number)} ${number === 1 ? singular : plural}`;
}

/** "512 B", "3.4 MiB" */
export function formatBytes(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let amount = bytes;
  let unit = 0;
  while (amount >= 1000 && unit < units.length - 1) {
    amount /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? String(amount) : threeDigits(amount)} ${units[unit] ?? ""}`;
}

/** "350 ms", "1.20 s", "2 m 05 s", "3 h 20 m" */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${threeDigits(ms / 1000)} s`;
  const seconds = Math.round(ms / 1000);
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} m ${pad(seconds % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${pad(minutes % 60)} m`;
}

/** "40 s", "5 m", "3 h", "12 d": how long ago something was; "in 3 h" what is still to come. */
export function formatAge(ms: number): string {
  if (ms < 0) return `in ${formatAge(-ms)}`;
  if (ms < 60_000) return `${Math.floor(ms / 1000)} s`;
  if (ms < 3_600_000) return `${Math.floor(ms / 60_000)} m`;
  if (ms < 48 * 3_600_000) return `${Math.floor(ms / 3_600_000)} h`;
  return `${formatCount(Math.floor(ms / 86_400_000))} d`;
}

/** "14 d", "36 h", "90 m", "500 ms": nothing is rounded. */
export function formatSpan(ms: number): string {
  const units = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000 };
  const [unit, size] = Object.entries(units).find(([, each]) => ms % each === 0) ?? ["ms", 1];
  return `${formatCount(ms / size)} ${unit}`;
}

/** "12 %", "0.5 %" of a part of one. Never "0 %" of something, nor "100 %" of less than all. */
export function formatPercent(part: number): string {
  const percent = part * 100;
  if (percent > 0 && percent < 0.01) return "less than 0.01 %";
  if (percent < 100 && percent > 99.99) return "more than 99.99 %";
  return `${Number(percent.toFixed(percent < 10 || percent > 99 ? 2 : 1))} %`;
}

/** "2026-11-21 19:32:00 CET": local, with the zone. */
export function formatTime(time: Date): string {
  const day = `${time.getFullYear()}-${pad(time.getMonth() + 1)}-${pad(time.getDate())}`;
  const clock = `${pad(time.getHours())}:${pad(time.getMinutes())}:${pad(time.getSeconds())}`;
  return `${day} ${clock} ${zoneOf(time)}`;
}

/** Costs far more to make than to use, and is not always used. */
let zones: Intl.DateTimeFormat | null = null;

/** The zone's short name, or its offset where it has none. */
function zoneOf(time: Date): string {
  zones ??= new Intl.DateTimeFormat("en-GB", { timeZoneName: "short" });
  const parts = zones.formatToParts(time);
  return parts.find((part) => part.type === "timeZoneName")?.value ?? "UTC";
}

function threeDigits(amount: number): string {
  if (amount >= 100) return amount.toFixed(0);
  return amount.toFixed(amount >= 10 ? 1 : 2);
}

function pad(number: number): string {
  return String(number).padStart(2, "0");
}
