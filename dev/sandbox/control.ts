/** Control routes: what a test or the demo may do that no merchant can. JSON in, JSON out, no authentication. */
import type { Deliveries } from './deliveries';
import type { Faults } from './faults';
import type { JsonObject, Reply } from './http';

/** `id`: what the path's first group caught. */
export type Route<R> = readonly [
  method: string,
  path: RegExp,
  handler: (request: R & { readonly id: string }) => Reply,
];

export const ok = (body: unknown): Reply => ({ status: 200, body });

/** undefined: no such address. */
export function answerRoute<R extends object>(
  routes: readonly Route<R>[],
  method: string,
  path: string,
  request: R,
): Reply | undefined {
  for (const [routeMethod, routePath, handler] of routes) {
    const match = routeMethod === method ? routePath.exec(path) : null;
    if (match !== null) return handler({ ...request, id: match[1] ?? '' });
  }
  return undefined;
}

interface Switches {
  readonly faults: Pick<Faults<string, unknown, never>, 'add' | 'clear' | 'rules'>;
  readonly deliveries: Pick<Deliveries<never>, 'mode' | 'setMode'>;
}

/** What every sandbox can be told: which requests fail, and how events misbehave. */
export function switchRoutes<R extends { readonly input: JsonObject }>(
  prefix: string,
  switchesOf: (request: R) => Switches,
  refusedWith: (message: string) => Reply,
): readonly Route<R>[] {
  const said = (answer: unknown) => (typeof answer === 'string' ? refusedWith(answer) : ok(answer));
  const at = (name: string) => new RegExp(`^/${prefix}/${name}$`);
  return [
    ['GET', at('health'), () => ok({ status: 'ok' })],
    ['GET', at('faults'), (request) => ok({ faults: switchesOf(request).faults.rules })],
    ['POST', at('faults'), (request) => said(switchesOf(request).faults.add(request.input))],
    ['DELETE', at('faults'), (request) => (switchesOf(request).faults.clear(), ok({ faults: [] }))],
    ['GET', at('events-mode'), (request) => ok(switchesOf(request).deliveries.mode)],
    ['POST', at('events-mode'), (request) => said(switchesOf(request).deliveries.setMode(request.input))],
  ];
}
