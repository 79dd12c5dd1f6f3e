// tap.mjs - tests that are bounded in time and say what they saw as TAP.
//
//   test(SENTENCE, async () => ..., {seconds})   keeps a test for later
//   await run()                                  runs them in order, prints the
//                                                plan first, and ends the
//                                                process whatever still waits
import { setTimeout as sleep } from "node:timers/promises";

export const TEST_SECONDS = 10;
const DIAGNOSIS_LINES = 12;

const tests = [];
const slow = process.env.SLUICE_SANITIZER ? 4 : 1;

export function test(sentence, body, { seconds = TEST_SECONDS } = {}) {
    tests.push({ sentence, body, ms: seconds * slow * 1000 });
}

// What PROMISE gives, or an error that says WHAT did not come in time.
export async function within(ms, promise, what) {
    const done = new AbortController();
    const late = sleep(ms * slow, null, { signal: done.signal }).then(() => {
        throw new Error(`${what} did not come within ${ms * slow} ms`);
    });
    late.catch(() => {});
    try {
        return await Promise.race([promise, late]);
    } finally {
        done.abort();
    }
}

// Asks CONDITION until it holds.
export async function until(condition, what, ms = 5000) {
    const end = Date.now() + ms * slow;
    while (!(await condition())) {
        if (Date.now() > end) {
            throw new Error(`${what}: not within ${ms * slow} ms`);
        }
        await sleep(20);
    }
}

function diagnose(error) {
    const text = error?.stack ?? String(error);
    for (const line of text.split("\n").slice(0, DIAGNOSIS_LINES)) {
        console.log(`# ${line.slice(0, 300)}`);
    }
}

export async function run() {
    let failures = 0;
    // What nobody waits for any more may still go wrong.
    process.on("unhandledRejection", diagnose);
    console.log(`1..${tests.length}`);
    for (const [i, { sentence, body, ms }] of tests.entries()) {
        try {
            await within(ms / slow, body(), "the end of the test");
            console.log(`ok ${i + 1} - ${sentence}`);
        } catch (error) {
            failures += 1;
            console.log(`not ok ${i + 1} - ${sentence}`);
            diagnose(error);
        }
    }
    process.exit(failures > 0 ? 1 : 0);
}
