import type { Logger } from '../../observability/logger';
import type { Router } from '../../routing/router';
import type { CountryResolver } from '../../routing/country';
import type { Database } from '../../stores/postgres';
import type { SecretBox } from '../../stores/secret-box';
import type { CommandGateway } from '../../temporal/command-gateway';
import type { WebhookUrlPolicy } from '../../webhooks/ssrf-guard';

export interface PreAuthDeps {
  readonly db: Database;
  readonly box: SecretBox;
  readonly log: Logger;
  readonly gateway: CommandGateway;
  readonly router: Router;
  /** Of a customer's address. */
  readonly countryOfIp: CountryResolver;
  /** How long a request waits for the channel before it is answered 202. */
  readonly waitTimeoutMs: number;
  readonly minExpiresInSeconds: number;
  readonly webhookUrlPolicy: WebhookUrlPolicy;
}
