// A request as a state of a view: idle, loading, done, failed, cancelled.
import { useEffect, useReducer, useRef } from './vendor/preact.js';
import { send } from './api.js';

const IDLE = { state: 'idle', data: null, error: null };

// `spec` is null for no request; another spec (by its JSON) ends the one before. `stale` data stay in sight while new
// ones are loaded. The last one that loads is cancelled by Escape (see main.js).
export function useRequest(spec, every = '') {
  const key = spec ? JSON.stringify(spec) + every : '';
  const current = useRef({ key: '', result: IDLE, abort: null });
  const [, redraw] = useReducer((n) => n + 1, 0);
  const run = () => {
    const own = current.current;
    own.abort?.abort();
    own.key = key;
    if (!spec) {
      own.result = IDLE;
      return redraw();
    }
    const abort = new AbortController();
    own.abort = abort;
    own.result = { ...own.result, state: 'loading', error: null, began: Date.now() };
    redraw();
    const end = (result) => {
      if (own.abort !== abort) return;
      own.abort = null;
      own.result = result;
      redraw();
    };
    send(spec, abort.signal).then(
      (answer) => end({ state: 'done', error: null, ...answer }),
      (error) =>
        end(error.name === 'AbortError' ? { ...IDLE, state: 'cancelled' } : { state: 'failed', data: null, error }),
    );
  };
  useEffect(run, [key]);
  useEffect(() => () => current.current.abort?.abort(), []);
  const cancel = () => current.current.abort?.abort();
  useEffect(() => {
    if (current.current.result.state !== 'loading') return undefined;
    addEventListener('spanway-cancel', cancel);
    return () => removeEventListener('spanway-cancel', cancel);
  });
  // Before the effect has run, the old result is another request's.
  const result = current.current.key === key ? current.current.result : { ...IDLE, state: spec ? 'loading' : 'idle' };
  return { ...result, spec, cancel, retry: run };
}
