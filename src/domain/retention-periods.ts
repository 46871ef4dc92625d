/** What backups are thinned out by, finest first. All in UTC, so that a plan does not depend on where it is made. */
export const PERIODS = ["hourly", "daily", "weekly", "monthly", "yearly"] as const;
export type Period = (typeof PERIODS)[number];

const DAY_MS = 86_400_000;

/** The hour, day, ISO week, month or year a moment is in: `2026-11-20 14:00`, `2026-11-20`, `2026-W47`, `2026-11`, `2026`. */
export function periodOf(period: Period, at: Date): string {
  const text = at.toISOString();
  switch (period) {
    case "hourly":
      return `${text.slice(0, 10)} ${text.slice(11, 13)}:00`;
    case "daily":
      return text.slice(0, 10);
    case "weekly":
      return isoWeek(at);
    case "monthly":
      return text.slice(0, 7);
    case "yearly":
      return text.slice(0, 4);
  }
}

/** Weeks begin on Monday and belong to the year that has their Thursday. */
function isoWeek(at: Date): string {
  const sinceMonday = (at.getUTCDay() + 6) % 7;
  const thursday = new Date(at.getTime() + (3 - sinceMonday) * DAY_MS);
  const year = thursday.getUTCFullYear();
  const week = Math.floor((thursday.getTime() - Date.UTC(year, 0, 1)) / (7 * DAY_MS)) + 1;
  return `${year}-W${String(week).padStart(2, "0")}`;
}
