import { openOwnStore } from '../../src/drill/stores/own-store.js';
import { localRedis } from '../../src/drill/stores/redis.js';
import { localInfluxDB1 } from '../../src/drill/stores/influxdb1.js';
import { localInfluxDB2 } from '../../src/drill/stores/influxdb2.js';
export const openRedis = () => openOwnStore(localRedis(process.env)!);
export const openInfluxDB1 = async () => openOwnStore((await localInfluxDB1(process.env))!);
export const openInfluxDB2 = async () => openOwnStore((await localInfluxDB2(process.env))!);
