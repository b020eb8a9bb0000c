/** The merchant's server of `npm start`: answers 200 to everything; GET /_received lists the last requests. Settings: PORT. */
import { Receiver } from './demo/receiver';

const receiver = new Receiver();
for (const name of ['SIGTERM', 'SIGINT'] as const) process.on(name, () => receiver.close());
// A port that is taken ends the process with what the system says.
void receiver.listen(Number(process.env['PORT'] ?? 40_099));
