import { describe } from 'node:test'
import { sharedPostgres } from '@causeway/testkit/postgres.ts'
import { noIrcServers } from '@causeway/testkit/irc/irc-servers.ts'
import { startInspircd } from '@causeway/testkit/irc/inspircd.ts'
import { startNgircd } from '@causeway/testkit/irc/ngircd.ts'
import { findErgo, startErgo } from '@causeway/testkit/irc/ergo.ts'
import { runIrcJourney } from './irc/journey.ts'

const ergo = findErgo()
const postgres = await sharedPostgres()

describe('a Matrix room and an IRC channel share a conversation', { skip: noIrcServers }, () => {
  runIrcJourney({ name: 'InspIRCd', isRich: true, start: startInspircd })
  runIrcJourney(
    {
      ...{ name: 'InspIRCd, on PostgreSQL', isRich: true, start: startInspircd },
      ...('skip' in postgres ? { skip: postgres.skip } : {}),
    },
    async () => ('skip' in postgres ? '' : postgres.createDatabase()),
  )
  runIrcJourney({ name: 'ngIRCd', isRich: false, start: startNgircd })
  runIrcJourney({
    name: 'Ergo',
    isRich: true,
    keepsHistory: true,
    start: async () => startErgo(ergo.binary ?? ''),
    ...(ergo.binary === undefined ? { skip: ergo.reason } : {}),
  })
})
