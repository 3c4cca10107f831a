// What "ssh -L" does: node forward.mjs ADDRESS PORT TO-ADDRESS TO-PORT
import {connect, createServer} from 'node:net';

const [address, port, toAddress, toPort] = process.argv.slice(2);
createServer((from) => {
  const to = connect(Number(toPort), toAddress);
  from.pipe(to).pipe(from);
  for (const [one, other] of [[from, to], [to, from]]) {
    one.setNoDelay(true);
    one.on('error', () => other.destroy());
    one.on('close', () => other.destroy());
  }
}).listen(Number(port), address, () => console.log('forwarding'));
