/** The official images, where the stores run in containers. */
export const IMAGES = {
  redis: 'redis:8',
  postgres: 'postgres:18',
  influxdb: 'influxdb:2.7',
} as const;
