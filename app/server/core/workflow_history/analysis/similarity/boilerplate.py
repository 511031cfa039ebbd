"""Boilerplate sentences that templates add to any task: a frozen list in our own words. Data only."""

SENTENCES = """\
Thanks for taking the time to fill out this report
Please fill in the form below
Please describe the problem clearly and concisely
I have searched the existing issues for duplicates
I have read the contributing guidelines and the code of conduct
Go to the page and click on the button
Open the application in the browser
Log in as a user and see the error
Scroll down to the bottom
Operating system Windows macOS Linux Ubuntu
Browser Chrome Firefox Safari version
Python version Node version
All tests pass
All existing tests still pass without regressions
Add unit tests for the new code
Write tests for the change and update the documentation
The documentation is updated
The change is reviewed and approved
The code follows the style guide of the project
Keep the style consistent with the existing code
Follow existing patterns and conventions of the codebase
No new warnings or linter errors
It works as described
The behaviour is as expected
The feature works correctly and the problem is solved
What you expected to happen
What actually happened instead
Add any other context about the problem here
Add screenshots if applicable to help explain your problem
Describe alternatives you have considered
Read the README and the relevant files before you start
Think hard about the plan and the steps
Create a plan in the specs folder
Run the validation commands to check that everything works
Run the tests and the build before you finish
Run the linter and the type checker
Execute every step in order from top to bottom
Do not change unrelated files
Make small focused commits with clear messages
Open a pull request when done
Report the result when finished
Important requirements and constraints
Priority high medium low
Severity critical major minor
Assignee milestone labels estimate
Related issues and links
This issue was created automatically
Use the plan build test review workflow
Is this a regression from an earlier version
Does it happen every time or only sometimes
Steps to reproduce the behaviour
Logs and error output
Configuration and environment variables
Backend and frontend, server and client
Tested locally on staging and production
Ready for review and merge
Definition of done
You are an expert engineer working in this repository
Read and follow the instructions below step by step
Write clean readable code with good names and comments
Reuse the existing helpers and structure instead of new abstractions
Never commit secrets or generated files
Summarise what you changed and list the files
Ask questions when the requirements are unclear
Keep the solution simple and avoid new dependencies
Consider edge cases and error handling
Notes for the developer
This was reported by customers and the support team
We should plan this for the next sprint
Is your request related to a problem, please describe
A clear and concise description of what you want to happen
None not applicable
See the attached file and the link
Relevant files in the app server and client folders
I agree to follow the rules
Let me know if you have questions""".splitlines()
