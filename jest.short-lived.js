/**
 * Loaded into every process of `npm test`. Each lives for some seconds; V8 would spend a sixth of a run's processor time on
 * optimizing what is over before it pays. What runs long is optimized all the same.
 */
require('node:v8').setFlagsFromString('--interrupt-budget=3000000');
