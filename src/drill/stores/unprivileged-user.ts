import { runCommand } from './command.js';
import { StoreError, type Environment } from './store.js';

export interface User {
  readonly uid: number;
  readonly gid: number;
}

/** When we are root: the user `preferred` if there is one, else `nobody`. Otherwise `undefined`: we stay who we are. */
export async function unprivilegedUser(
  preferred: string,
  environment: Environment,
): Promise<User | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const user = (await findUser(preferred, environment)) ?? (await findUser('nobody', environment));
  if (user === undefined) throw new StoreError('START', `there is neither a user ${preferred} nor nobody`);
  return user;
}

async function findUser(name: string, environment: Environment): Promise<User | undefined> {
  const [uid, gid] = await Promise.all(
    ['-u', '-g'].map((flag) => runCommand('id', [flag, name], { environment })),
  );
  return uid?.ok && gid?.ok ? { uid: Number(uid.output), gid: Number(gid.output) } : undefined;
}
