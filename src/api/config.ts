import { API_PAIRS, API_VARIABLES, readVariables } from '../shared/configuration.js';

/**
 * The API's configuration; durations in milliseconds.
 *
 * @throws {ConfigurationError} with every fault.
 */
export const readConfig = (env: NodeJS.ProcessEnv) => readVariables(API_VARIABLES, env, API_PAIRS);
