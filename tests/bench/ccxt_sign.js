// Median time of ccxt's own in-process signing of one Hyperliquid order, in microseconds, over COUNT signatures after a
// warm-up, and the rate. Prints one JSON object.
'use strict';
const ccxt = require('ccxt');

const count = Number(process.argv[2] || 400);
const exchange = new ccxt.hyperliquid({
    privateKey: '0x7a33a0d7a294d0b4c8f3ca1db8a12070baabd6f00c6100020e3dece2e48b423a',
    walletAddress: '0x57137F9596bCe093f15EDB5E5F64653B88e96Ca4',
});
const order = () => ({
    type: 'order',
    orders: [{ a: 39, b: false, p: '69919.8', s: '49.897459', r: false, t: { limit: { tif: 'Gtc' } } }],
    grouping: 'na',
});
const times = [];
for (let i = 0; i < count + 100; i++) {
    const start = process.hrtime.bigint();
    const signature = exchange.signL1Action(order(), 1736943676321 + i);
    const took = Number(process.hrtime.bigint() - start) / 1000;
    if (!signature.r) throw new Error('no signature');
    if (i >= 100) times.push(took);
}
times.sort((a, b) => a - b);
const sum = times.reduce((a, b) => a + b, 0);
console.log(JSON.stringify({ median_us: times[count >> 1], rate: count / (sum / 1e6) }));
