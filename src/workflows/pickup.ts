/** Runs the pick-up once; a Temporal Schedule starts it. */
import { pickUp } from './activity-proxies';

export async function pickup(intervalSeconds: number): Promise<string> {
  const { events, holds, calls } = await pickUp(intervalSeconds);
  return `${events} events, ${holds} holds, ${calls} open calls`;
}
