// 500 virtual users for k6, each asking on as soon as it is answered; the drill says where (--load, see docs/drill.md).
import http from 'k6/http';
import { check } from 'k6';

export const options = {
  scenarios: {
    users: {
      executor: 'constant-vus',
      vus: Number(__ENV.USERS || 500),
      duration: __ENV.FOR || '60s',
      gracefulStop: '60s', // what is on its way is answered: a count that is cut short compares with nothing
    },
  },
  thresholds: { http_req_failed: ['rate==0'], checks: ['rate==1'] },
};

const body = JSON.stringify({ numbers: [1, 2, 3, 4] });
const params = { headers: { 'Content-Type': 'application/json' } };

export default function () {
  const answer = http.post(`${__ENV.URL}/sum`, body, params);
  check(answer, {
    'is answered with the sum': (got) => got.status === 200 && JSON.parse(got.body).result === 10,
  });
}
