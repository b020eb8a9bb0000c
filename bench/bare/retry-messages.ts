/** How the bare retry is called. */
export const BARE_RETRY_QUEUE = 'bare-retry';
export const BARE_RETRY_WORKFLOW = 'bareRetry';
