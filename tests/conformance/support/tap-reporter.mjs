// tap-reporter.mjs - vitest's results as TAP, one line a test, as they come.
// Skipped tests are no results: the plan says how many must be there. It is
// given, so that a suite which lost some of its tests is seen.

function oneLine(text) {
    return text.replace(/\s+/g, " ").replace(/#/g, "").trim();
}

export default class TapReporter {
    results = 0;

    constructor(planned) {
        console.log(`1..${planned}`);
    }

    onTestCaseResult(test) {
        const { state, errors = [] } = test.result();
        if (state === "skipped") {
            return;
        }
        const verdict = state === "passed" ? "ok" : "not ok";
        this.results += 1;
        console.log(`${verdict} ${this.results} - ${oneLine(test.fullName)}`);
        for (const error of errors) {
            this.comment(error.message);
        }
    }

    onTestRunEnd(modules, errors) {
        for (const module of modules) {
            errors = [...errors, ...module.errors()];
        }
        for (const error of errors) {
            this.comment(error.stack ?? error.message);
        }
    }

    comment(text) {
        for (const line of String(text).split("\n").slice(0, 12)) {
            console.log(`# ${line.slice(0, 300)}`);
        }
    }
}
