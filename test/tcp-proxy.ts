export { TcpProxy } from '../src/drill/tcp-proxy.js';
