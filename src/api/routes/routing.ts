/** Which channel would take an order, and why, without taking it. */
import type { CountryResolver } from '../../routing/country';
import type { Router } from '../../routing/router';
import { defineRoute } from '../route';
import type { Route } from '../route';
import { DECISION_EXAMPLE, decisionView, showDecision } from '../routing/decision-view';
import { quoteBody, quoteRequestOf } from '../routing/quote';
import { assertActive } from '../suspension';

export interface RoutingApiDeps {
  readonly router: Pick<Router, 'quote'>;
  readonly countryOfIp: CountryResolver;
}

export function routingRoutes(deps: RoutingApiDeps): Route[] {
  return [
    defineRoute({
      tag: 'Routing',
      auth: 'merchant',
      method: 'post',
      path: '/api/v1/routing/quote',
      priority: 'read',
      summary: 'Ask which channel would take an order',
      description:
        'Answers the decision with all candidates, their fees and scores, and creates nothing. A real order may go another ' +
        'way: a small share tries other channels (explored, probe), and its own number shares it out between equals.',
      request: { body: quoteBody },
      responses: { 200: { description: 'The decision', schema: decisionView, example: DECISION_EXAMPLE } },
      errors: ['MERCHANT_SUSPENDED'],
      handler: ({ caller, body }) => {
        assertActive(caller);
        const decision = deps.router.quote(quoteRequestOf(deps, caller, body), body.mode);
        return Promise.resolve({ status: 200, data: showDecision(decision) });
      },
    }),
  ];
}
