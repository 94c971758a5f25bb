/**
 * A module as it is shipped. What stands beside Tally runs the very same JavaScript wherever it shares a part with it;
 * through tsx the same sources become slightly different code.
 */
export const built = async <Module>(path: string): Promise<Module> =>
  (await import(new URL(`../../dist/${path}`, import.meta.url).href)) as Module;
