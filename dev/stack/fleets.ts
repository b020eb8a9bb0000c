/** Our own processes of which a stack may have several: what each is called, and where its port comes from. */
export const FLEETS = {
  api: { label: 'API', what: 'REST', variable: 'API_PORT', port: 'api' },
  worker: {
    label: 'Worker',
    what: 'holds, payments, refunds',
    variable: 'WORKER_HEALTH_PORT',
    port: 'workerHealth',
  },
  webhooks: {
    label: 'Webhook worker',
    what: 'relay and retries of deliveries',
    variable: 'WORKER_HEALTH_PORT',
    port: 'webhooksHealth',
  },
} as const;

export type Fleet = keyof typeof FLEETS;
