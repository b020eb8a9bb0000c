import type { Logger } from '../../observability/logger';
import type { Database } from '../../stores/postgres';
import type { ObjectGateway } from '../../temporal/object-gateway';

export interface LateMoneyDeps {
  readonly db: Database;
  readonly log: Logger;
  /** Starts the workflow of a refund. */
  readonly workflows: Pick<ObjectGateway, 'ensure'>;
}
