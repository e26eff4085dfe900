import { findServerDrivers } from '../../test-server.ts'
import { startStage } from './test-peers.ts'
const [driver] = await findServerDrivers()
const stage = await startStage(driver!)
const names = Array.from({ length: 1000 }, (_, n) => `s${n}.example`)
const roomId = await stage.makeRoom(names.map((n) => `@u:${n}`))
await stage.settled()
const ms = async (label: string, fn: () => Promise<void>) => { const c=process.cpuUsage(); const t = performance.now(); await fn(); const u=process.cpuUsage(c); console.log(label, (performance.now() - t).toFixed(0), 'ms wall', ((u.user+u.system)/1000).toFixed(0), 'ms cpu') }
await ms('warm: 1 event to 1000', async () => { await stage.say(roomId, 'x'); await stage.settled() })
await ms('10 events one by one to 1000', async () => { for (let n = 0; n < 10; n++) { await stage.say(roomId, 'x'); await stage.settled() } })
await ms('50 events at once to 1000', async () => { for (let n = 0; n < 50; n++) await stage.say(roomId, 'x'); await stage.settled() })
stage.peers.answer = () => ({ kind: 'unreachable' })
await ms('first event, all away', async () => { await stage.say(roomId, 'x'); await stage.settled() })
await ms('second event, all away (rows)', async () => { await stage.say(roomId, 'x'); await stage.settled() })
await ms('100 events, all away', async () => { for (let n = 0; n < 100; n++) await stage.say(roomId, 'x'); await stage.settled() })
console.log(await stage.server.hs.db.query('select (select count(*) from outbound_events) e,(select count(*) from outbound_rooms) r,(select count(*) from outbound_transactions) t,(select count(*) from outbound_sets) s', []))
stage.peers.answer = () => ({ pdus: {} })
await ms('all back', async () => { for (const n of names) stage.server.hs.outbound.heardFrom(n as never); await stage.settled() })
await stage[Symbol.asyncDispose]()
