import { Type } from 'typebox'
import { defineCommand } from '../command.ts'
import { loadSettings } from '../load-settings.ts'
import { configOption } from './config-option.ts'

export const command = defineCommand({
  usage: '',
  summary: 'Make a new signing key; the one of before is kept so that what it signed stays verifiable',
  input: Type.Object({ config: configOption }),
  run: async (terminal, input) => {
    const { config } = loadSettings(terminal, input.config)
    const { rotateSigningKey } = await import('@causeway/homeserver/crypto/signing-key.ts')
    const { systemRandom } = await import('@causeway/store/clock/system.ts')
    const keyId = await rotateSigningKey(config.signing_key, systemRandom)
    terminal.out(
      `${config.signing_key} has a new key, ${keyId}. Restart the server: until then it signs with the old one.\n` +
        'Keep a copy of the file. Other servers may trust the old key for up to a day more.\n',
    )
    return 0
  },
})
