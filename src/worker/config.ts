import { WORKER_VARIABLES, readVariables } from '../shared/configuration.js';

/**
 * The worker's configuration; durations in milliseconds.
 *
 * @throws {ConfigurationError} with every fault.
 */
export const readConfig = (env: NodeJS.ProcessEnv) => readVariables(WORKER_VARIABLES, env);
