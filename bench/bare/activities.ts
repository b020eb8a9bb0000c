/** The two steps of every command, without what they are for. */
export const bareActivities = {
  execute: (_commandId: string): Promise<void> => Promise.resolve(),
  record: (_commandId: string): Promise<void> => Promise.resolve(),
};
