import { describe } from 'node:test'
import { startInspircd } from '@causeway/testkit/irc/inspircd.ts'
import { startNgircd } from '@causeway/testkit/irc/ngircd.ts'
import { findErgo, startErgo } from '@causeway/testkit/irc/ergo.ts'
import { runIrcJourney } from './irc/journey.ts'

const ergo = findErgo()

describe('a Matrix room and an IRC channel share a conversation', () => {
  runIrcJourney({ name: 'InspIRCd', isRich: true, start: startInspircd })
  runIrcJourney({ name: 'ngIRCd', isRich: false, start: startNgircd })
  runIrcJourney({
    name: 'Ergo',
    isRich: true,
    start: async () => startErgo(ergo.binary ?? ''),
    ...(ergo.binary === undefined ? { skip: ergo.reason } : {}),
  })
})
