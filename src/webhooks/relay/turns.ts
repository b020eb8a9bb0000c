/** What paces a loop that takes turns with PostgreSQL, and wakes it. */

/** The longest pause between turns under load, unless a full turn waits: small ones cost almost as much as large ones. */
const PACE_MAX_MS = 30;

export class Turns {
  private atMs = 0;
  /** Rows of the last turn. */
  private rows = 0;
  private isRung = false;
  private rouse: () => void = () => undefined;

  constructor(private readonly now: () => number) {}

  /** Something has happened that the loop may be waiting for. */
  ring(): void {
    this.isRung = true;
    this.rouse();
  }

  /** A turn of n rows is followed by the next n ms after it began: at once in calm, in large batches under load. */
  async pace(isFull: () => boolean): Promise<void> {
    const paceMs = Math.min(this.rows, PACE_MAX_MS);
    const restMs = this.atMs + paceMs - this.now();
    // A clock that was set back is not waited for.
    if (restMs > 0 && restMs <= paceMs && !isFull()) await this.pause(restMs, isFull);
    this.atMs = this.now();
    this.rows = 0;
  }

  /** @param rows what this turn has done */
  count(rows: number): void {
    this.rows += rows;
  }

  /** Until it is rung, or the time is over. @returns whether it was rung */
  async rest(ms: number): Promise<boolean> {
    const isRung = await this.pause(ms, () => this.isRung);
    this.isRung = false;
    return isRung;
  }

  /** @returns whether `isOver` ended it, which is asked whenever something happens, rather than the time */
  private pause(ms: number, isOver: () => boolean): Promise<boolean> {
    return new Promise((resolve) => {
      const end = (isOverNow: boolean) => {
        clearTimeout(timer);
        this.rouse = () => undefined;
        resolve(isOverNow);
      };
      const timer = setTimeout(() => end(false), ms);
      this.rouse = () => isOver() && end(true);
      this.rouse();
    });
  }
}
