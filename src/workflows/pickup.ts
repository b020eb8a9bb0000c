/** Runs the pick-up once; a Temporal Schedule starts it. */
import { pickUp } from './activity-proxies';

export async function pickup(intervalSeconds: number): Promise<string> {
  const { events, objects, calls } = await pickUp(intervalSeconds);
  return `${events} events, ${objects} objects, ${calls} open calls`;
}
